"""The HTML report: the page, its rows, and the images beside it."""
