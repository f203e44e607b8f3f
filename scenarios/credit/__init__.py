"""Appendix A, 6: credit risk of small firms and investment promotion (金融风控精准招商).

A bank wants a scorecard for loans to small firms, and the government wants to know which sectors
grow. Three district platforms hold what happened to loans of their firms, beside what the
government knows of each firm: tax grade, arrears of social insurance. Their executors count
together; from the counts the operator fits the scorecard that all rows together would give.

    data        the rows, which are GENERATED, and the model they are drawn from
    program     what is computed
    scorecard   the scorecard from joint counts, and the sectors
    run         the plot, and the run

What is not there: real loans, for no such data is public; and the join of a bank's rows with those
of the government, which takes private set intersection and vertical federated learning, for which
this node has no engine yet. Here every platform already has both in one row.
"""
