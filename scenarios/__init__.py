"""Scenarios of Appendix A of the standard, run end to end on real data by real processes.

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
    insurance/   Appendix A, 2: smart insurance (智慧保险)

Starting and stopping a network belongs to the command line (`shuxin scenario run NAME --demo`).
"""
