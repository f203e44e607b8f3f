"""Scenarios of Appendix A of the standard, run end to end by real processes.

Their data is real, or generated and said to be so wherever a party or a record meets it. A scenario
whose engine is not there yet runs as far as joint statistics go, and names what is missing.

A scenario is a program of the parties: every step is a transaction of the right role, signed with
that party's key at that party's node, and what executors do they do by themselves. It is not a
test (it asserts only what the story claims) and not a simulation: without a running network and
executors there is nothing to tell.

    index        which scenarios there are
    consortium   the parties of a network: keys, nodes, documents, executor homes
    record       what is recorded of a run: stages, steps, figures
    answers      what contracts answer, as typed values
    script       how a scenario acts: calls, calls that must be refused, steps of executors
    story        how a run is told on a terminal, stage by stage, Chinese beside English
    cast         who plays in a run, and its ids on the chain
    sheet        rows as a supplier's file has them
    papers       the documents behind the evidence, and the product
    comparison   joint results beside the same over the pooled rows: the check of a demonstration
    tables       tables that every joint computation tells
    stages/      the stages, as acts of the parties
    joint        a scenario of joint statistics: its Plot, played through all stages
    grid         rows sorted into the cells of a few factors, and what was counted in each
    glm          logistic and Poisson regression from counts in cells
    response     a model of who responds, from joint counts
    rental/      Appendix A, 1: group-rental detection (群租房管理), on generated data
    insurance/   Appendix A, 2: smart insurance (智慧保险)
    drug/        Appendix A, 3: AI drug discovery, double blind (“AI”+创新药)
    trial/       Appendix A, 4: patients for a clinical trial (临床试验受试者匹配)
    marketing/   Appendix A, 5: precision marketing (市场精准营销)
    credit/      Appendix A, 6: credit risk of small firms (金融风控精准招商), on generated data

Starting and stopping a network belongs to the command line (`shuxin scenario run NAME --demo`).
"""
