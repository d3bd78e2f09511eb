"""Li and Stephens' model of copying over the whole panel."""
