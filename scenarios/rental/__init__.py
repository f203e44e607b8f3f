"""Appendix A, 1: group-rental detection (群租房管理), on generated data.

Three districts hold what meters and couriers tell of each dwelling. The city wants norms of use by
size of dwelling, over all districts: what is much for two bedrooms is little for four. Nobody may
see the dwellings of another district; the executors compute the quantiles together. With the norms
each district finds its own suspects at home, by the three models that Appendix A names: residents
(实有人口模型), utilities (水电气模型), takeaways and parcels (外卖快递模型). What is suspected
goes to the district's own inspectors as work orders (网格派单), and nowhere else.

    data       the dwellings, generated, and which district has which
    program    what is computed
    models     the three models, and what they find
    table      the norms, as the story shows them
    dispatch   the districts use the norms at home
    run        the plot in the words of the parties, and the run

No meters of dwellings are public, so these are drawn from a seed, and every record says so. What
share of group rentals is found says something about the drawing, not about any city.
"""
