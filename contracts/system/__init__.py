"""The contracts that DB 31115/Z 040-2023 asks for, written in the contract dialect.

They are deployed at genesis in the order below, which is also their reading order: `parties`
first, because every other contract asks it who a sender is. They run in the contract VM like any
other contract: same compiler, same gas, same life cycle. This package is their text, not code of
the node: it imports nothing but `contracts.dialect`, and `contracts.bundle` reads it.

    parties     相关方     who takes part, in which of six roles, with which accounts
    governance  共识治理   nodes and the committee (委员会): who orders the chain
    parameter   参数       what blocks may hold and how the chain beats, by height
    feature     特性开关   what contracts do only while it is on, by height
    policy      表决策略   what each kind of proposal needs
    proposal    提案       changes of these, voted on by manager and organizations
    certificate 证书       SM2 certificates, read and judged on chain
    identity    身份       roots of organizations, certificates, revocations
    accusation  指控       proofs that a validator contradicted itself
    catalog     数据目录   data sets, described and committed to          汇聚 aggregation
    quality     数据质量   figures of data sets, measured and monitored   汇聚 aggregation
    demand      数据需求   filed; 预审 prescreen; 审核 review             汇聚 aggregation
    algorithm   算法镜像   what executors may run, vetted                 开发 development
    preapproval 快速审批   what a manager grants beforehand               授权 authorization
    grant       授权       requested, decided, countersigned: who may use which data for what
    queue       队列       open work, in order                            开发 development
    step        步骤       the plans of jobs, to the letter               开发 development
    job         作业       several tasks in an order, confirmed by all    开发 development
    task        任务       joint computations: accepted, run, reported    开发 development
    evidence    存证       digests of what parties must be able to show   all stages
    product     数据产品   results registered (登记) and assessed         开发 development
    deidentification 去标识化  how far products lead back to persons     开发 development
    delivery    交付       products offered and accepted (验收)           交付 delivery
    agreement   合同       service contracts that both sides sign         交付 delivery
    tariff      收费标准   what a unit of each service costs, in versions  all stages
    billing     计量计费   metering records and statements                all stages
    payment     付款       how what is due is paid, confirmed or denied   all stages
    rules       规则       rules and plans of each stage, in versions     all stages
    multisig    多签账户   accounts of which several members decide together
    oversight   监督管理   who supervises whom; whom operators engaged    all stages
    admission   入驻申请   who may become a party: sponsored, decided     all stages
    holder      归属       whose something on the chain is: kind and id
    asset       软硬件资产 what operators work by: certificates, history  all stages
    commission  委托       work that operators give to whom they engaged  all stages
    risk        风险       what the checks of alerts find                all stages
    alert       预警       what may go wrong: checks and reports          all stages
    incident    应急处置   measures at once, and their end                all stages
    inquiry     审计问询   audits asked of parties, and answers           all stages
    evaluation  绩效评价   how a party did in a period                    all stages

A contract is an ASCII text, so the Chinese terms stand here and in docs/glossary.md.

Rules that hold for all of them: an id is 1 to 64 characters of a-z 0-9 _ - . and is used once; a
digest is 32 bytes of SM3; a time is Unix milliseconds of the block; every change of state emits
an event that carries the ids; every refusal starts with a dotted code and says what to do next.
A view asks who reads (8.1.4c, 8.1.7): queries are signed.
"""
