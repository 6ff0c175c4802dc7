"""Whether the search runs as machine code, which is several times faster than numpy and answers the same.

In: the number of dreams. Out: the compiled search, or None for as long as there is none. It needs numba (the extra
`fast`), which takes some tenths of a second to import and some seconds to compile where its cache is empty; so that is
done in a thread of its own, once the pool is large enough to be worth it. No query waits for it, and no answer depends
on it. Before it is used, it searches a small pool, and where one bit is not that of numpy it is not used.
"""

import importlib
import importlib.util
import threading
from typing import Final

from actors.pool_keeper.probing import Kernel, difference

LEAST_DREAMS: Final = 20_000
"""Below it numpy takes a fraction of a millisecond."""
MOST_TEXT: Final = 300
"""Characters of a reason."""
KERNEL: Final = "actors.pool_keeper.compiled"


class Compiling:
    """Loads the compiled search once, when it is first worth it."""

    def __init__(self, least_dreams: int = LEAST_DREAMS, needs: str = "numba") -> None:
        self._least_dreams = least_dreams
        self._needs = needs
        self._thread: threading.Thread | None = None
        self._kernel: Kernel | None = None
        self.state = "numpy"
        """What searches, and when it is not numba in a large pool: why."""

    def kernel(self, dreams: int) -> Kernel | None:
        """The compiled search when it is there; loading begins when the pool has become large enough."""
        if self._kernel is None and self._thread is None and dreams >= self._least_dreams:
            self._begin()
        return self._kernel

    def wait(self) -> bool:
        """Load now, whatever the size of the pool; whether there is a compiled search."""
        (self._thread or self._begin()).join()
        return self._kernel is not None

    def _begin(self) -> threading.Thread:
        self._thread = threading.Thread(target=self._load, name="pool-compile", daemon=True)
        self._thread.start()
        return self._thread

    def _load(self) -> None:
        if importlib.util.find_spec(self._needs) is None:
            self.state = f"numpy: {self._needs} is not installed"
            return
        self.state = "numpy: numba is being loaded"
        try:
            version = importlib.import_module("numba").__version__
            kernel: Kernel = importlib.import_module(KERNEL).search
            differs = difference(kernel)
        except Exception as error:  # numba fails in many ways, and the pool answers without it
            self.state = f"numpy: numba cannot be used: {type(error).__name__}: {error}"[:MOST_TEXT]
            return
        if differs is None:
            self._kernel, self.state = kernel, f"numba {version}"
        else:
            self.state = f"numpy: numba {version} gives other bits: {differs}"[:MOST_TEXT]
