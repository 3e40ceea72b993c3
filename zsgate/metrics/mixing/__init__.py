"""How well batches are mixed around a cell, among the cells of other donors."""
