"""The matters of a report, one function each: from the rows of the views to charts and tables."""
