"""De-identification (去标识化): how far a table leads back to persons, and making that less.

It measures CSV files as GB/T 37964 and GB/T 42460 ask and changes them by a plan. It decides
nothing about whether a figure is good enough: that is the affair of the chain, contract
`deidentification`. Nothing here puts a value of the data into an answer, an error or a report.

    plan         what each column is, and what is done to it; the file that people write
    identifiers  values that name a person by their form: id numbers, phones, mail, cards, ...
    findings     columns that hold such values though the plan does not say so
    table        rows of a CSV file of any length, and the SM3 of what was read
    classes      rows that look alike, sorted out in bounded memory
    closeness    how far the sensitive values of a class are from those of all rows
    measure      all figures of a file, and its level 1 to 4
    treatments   a cell generalized, suppressed or replaced by a pseudonym
    draft        a plan to begin with, from what is seen in a file
    apply        a file treated by its plan, without the rows of small classes
    report       the figures as a file that evidence can name by its SM3
"""
