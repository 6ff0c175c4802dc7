"""What is derived from the columns of one pool to find dreams fast: orders to search in, lists to draw from.

In: columns. Out: `Cells` for a scoring, brought up to date, and the `Explorer`. All of it can be thrown away at any
time: it follows from the columns, and no answer depends on what of it is there.
"""

from actors.pool_keeper.cells import ORDERS, Cells, Grain, OrderName
from actors.pool_keeper.columns import Columns
from actors.pool_keeper.exploring import Explorer
from actors.pool_keeper.scoring import Measure


class Atlas:
    """The orders and lists of `columns`, each made when it is first needed."""

    def __init__(self, columns: Columns, grain: Grain | None = None) -> None:
        """`grain`: sizes of blocks and segments; no answer depends on them."""
        self.columns = columns
        self._grain = grain or Grain()
        self.explorer = Explorer(columns)
        self._cells: dict[OrderName, Cells] = {}

    def cells_for(self, measure: Measure) -> Cells:
        """The order that serves `measure`, up to date."""
        name = ORDERS[measure]
        if name not in self._cells:
            self._cells[name] = Cells(self.columns, name, self._grain)
        self._cells[name].cover()
        return self._cells[name]

    @property
    def size_bytes(self) -> int:
        """Memory that the orders and lists take."""
        return self.explorer.size_bytes + sum(cells.size_bytes for cells in self._cells.values())
