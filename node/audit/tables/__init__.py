"""Tables: what verified blocks say, as CSV, JSON and Parquet for other tools (5.3d).

columns   what a table is: named, typed columns, each with a sentence
writers   one file of one table: csv, json
parquet   the same through DuckDB, which the extra `audit` brings
acts      the tables of acts, their subjects and who got access
objects   parties, data sets, demands, grants, tasks, products, deliveries as they ended
chain     blocks, transactions, receipts, events, committees, signatures
"""
