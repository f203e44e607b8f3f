"""The stages of a scenario, as acts of the parties: the same for every scenario.

    aggregation     data is brought in, a demand is filed and approved (汇聚)
    authorization   a grant comes about, and nothing runs without one (授权)
    development     a joint computation, its check, a product (开发)
    deidentification  what of persons is left in the product (去标识化评估)
    tariff          what may be charged is announced (收费标准)
    delivery        a contract is signed, the product reaches its consumer (交付)
    agreement       how the two sides sign (数据服务合同)
    use             the consumer asks about the product, and its use is metered (使用)
    onward          what the consumer may pass on, suppliers use at home (下发)
    settlement      statements, what the consumer says to them, payment (结算)
    oversight       the right is taken back, the evidence is read (监督管理)

What a scenario has of its own it gives as the values that stand at the top of each module.
"""
