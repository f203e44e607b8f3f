"""Appendix A, 3: AI drug discovery, double blind (“AI”+创新药), on the rows of a real trial.

The developer of a drug against seizures has a model of how patients respond to it, and wants to
know whether it holds for the patients of three hospitals. The hospitals show their patients to
nobody, and the developer shows its model to nobody. The developer commits to the model first; the
hospitals' executors count seizures together by severity and treatment; the developer compares at
home. So the hospitals, the operator and the manager are blind to the model, and the developer is
blind to the rows.

    data      the rows, and which are the developer's own
    program   what is computed
    model     the developer's model: fitted, committed to, judged
    blind     the developer's acts: the commitment and the judgement
    run       the plot, and the run

What is not there: a trusted execution environment (可信执行环境), into which the developer would
put the model itself to run it on every row. Until then it is judged by cohort, not by patient, and
only as far as it depends on what cohorts are made of; a task that names the model is refused.
"""
