"""GitHub: step summary, annotations, the comment of a pull request and a badge, within GitHub's limits."""
