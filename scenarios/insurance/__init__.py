"""Appendix A, 2: smart insurance (智慧保险), on the data of the RAND Health Insurance Experiment.

Three suppliers hold the yearly claims of insured persons of different towns. An insurer wants to
know what each kind of plan costs, by person and year, to price a new one. Nobody may see the rows:
the three executors compute the statistics together, and only the sums of all come out.

    data      the rows, the plans, and which supplier holds which rows
    program   what is computed
    table     the answer, as the story shows it
    run       the plot in the words of the parties, and the run

It is not a study of insurance: the tables are what the engine and the pooled rows say, no more.
"""
