"""BigQuery as the place of the tables: a dataset, its tables, and the views over them."""
