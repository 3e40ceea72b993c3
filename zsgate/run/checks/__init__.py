"""What is looked at again of a candidate's rows: whether they are steady, and whether kept ones are still its own."""
