"""What is derived from the columns of one pool to find dreams fast: orders to search in, lists to draw from.

In: columns. Out: `Cells` for a scoring, brought up to date, the `Explorer`, and the arguments of the compiled search.
All of it can be thrown away at any time: it follows from the columns, and no answer depends on what of it is there.
"""

from actors.pool_keeper.cells import ORDERS, Cells, Grain, OrderName
from actors.pool_keeper.columns import Columns
from actors.pool_keeper.compiling import Compiling
from actors.pool_keeper.copies import Copies
from actors.pool_keeper.exploring import Explorer
from actors.pool_keeper.probing import Arrays, cell_arrays, column_arrays, scratch
from actors.pool_keeper.scoring import Scoring


class Atlas:
    """The orders and lists of `columns`, each made when it is first needed."""

    def __init__(self, columns: Columns, grain: Grain | None = None, compiling: Compiling | None = None) -> None:
        """`grain`: sizes of blocks and segments; `compiling`: when machine code is used. No answer depends on them."""
        self.columns = columns
        self.copies = Copies(columns)
        self.explorer = Explorer(columns)
        self.compiling = compiling or Compiling()
        self.compiling.kernel(columns.count)  # a pool that is large at start begins to load it at once
        self._grain = grain or Grain()
        self._cells: dict[OrderName, Cells] = {}
        self.scratch = scratch()
        self._arrays: dict[OrderName, tuple[tuple[int, int, int], tuple[Arrays, Arrays]]] = {}

    def cells_for(self, scoring: Scoring) -> Cells:
        """The order that serves `scoring`, up to date."""
        name = ORDERS[scoring.measure]
        if name not in self._cells:
            self._cells[name] = Cells(self.columns, name, self._grain)
        cells = self._cells[name]
        cells.cover()
        return cells

    def arrays_of(self, cells: Cells) -> tuple[Arrays, Arrays]:
        """The columns and `cells` as the compiled search takes them."""
        state = (self.columns.count, self.columns.retreats, cells.changes)
        held = self._arrays.get(cells.name)
        if held is None or held[0] != state:
            held = state, (column_arrays(self.columns), cell_arrays(cells))
            self._arrays[cells.name] = held
        return held[1]

    @property
    def size_bytes(self) -> int:
        """Memory that the orders and lists take."""
        return self.explorer.size_bytes + sum(cells.size_bytes for cells in self._cells.values())
