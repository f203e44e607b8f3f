"""Appendix A, 4: matching of patients to a clinical trial (临床试验受试者匹配).

A sponsor plans a trial of help to stop smoking in pregnancy and looks for patients in three
hospitals. It wants to know how many meet the criteria, by stratum, and how far what the trial will
measure varies, which decides how many it needs. Nobody may see the records: each hospital screens
its own by the protocol, the executors count together, and only strata come out. Where there are
enough, each hospital invites its own patients; who they are stays with it.

    data       the births, the hospitals, and the criteria
    program    what is computed
    plan       how many patients the trial needs, and whether they are there
    recruit    the hospitals invite their own patients
    run        the plot in the words of the parties, and the run

It is no trial and no advice: the births are of 1989 to 1991, and nobody is invited to anything.
"""
