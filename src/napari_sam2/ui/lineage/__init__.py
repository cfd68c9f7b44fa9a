"""Who descends from whom: the family of the chosen object as a tree."""
