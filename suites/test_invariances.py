"""The same cells get the same rows from the candidate, in whatever form they are presented.

Few cells are embedded again with the genes in another order, with other genes listed that none of them expresses, in
another order and alone, by one kind of gene name only, and with their counts held as another type of number. Rows that
follow any of that are no property of the cells.
"""


def test_form_changes_nothing(candidate, dataset, hold):
    assert hold(candidate)
