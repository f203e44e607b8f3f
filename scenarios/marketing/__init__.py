"""Appendix A, 5: precision marketing (市场精准营销), on travellers' choices of a real survey.

A railway wants to know which kinds of travellers take the train, to aim a campaign at their like.
Three booking platforms hold the choices of their own travellers and show them to
nobody. Their executors count together; from the counts the operator fits a model of who takes the
train, which is the one that all rows together would give.

    data       the rows, the segments, and which platform holds whom
    program    what is computed
    segments   the model from joint counts, and the segments that it aims at
    run        the plot, and the run

What is not there: the platforms of the standard's example know different things of the same users
(支付、社交). To join them takes private set intersection and vertical federated learning, which
this node has no engine for yet; here each platform has all features of its own travellers. So the
campaign is aimed at segments, not at users.
"""
