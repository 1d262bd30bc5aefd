{{ config(materialized='view', tags=['holdout']) }}
-- One row per predictor, LLM and set of pairs: what to look at first.

with wide as (
    select
        survey, scenario, pairs, predictor, llm,
        max(value) filter (where metric = 'accuracy') as accuracy,
        max(low) filter (where metric = 'accuracy') as low,
        max(high) filter (where metric = 'accuracy') as high,
        max(value) filter (where metric = 'nll') as nll,
        max(n) filter (where metric = 'share_invalid') as n
    from {{ ref('metrics') }}
    group by all
)

select
    w.survey, w.scenario, w.pairs, w.predictor, w.llm, w.n,
    round(w.accuracy, 3) as accuracy,
    format('{:.3f} to {:.3f}', w.low, w.high) as accuracy_95,
    round(w.nll, 3) as nll,
    -- Null for the best baseline itself.
    round(c.difference, 3) as vs_best_baseline,
    round(c.p_holm, 3) as p_holm
from wide as w
left join {{ ref('comparisons') }} as c
    on c.survey = w.survey and c.scenario = w.scenario and c.pairs = w.pairs
    and c.predictor = w.predictor and c.llm is not distinct from w.llm
    and c.family = 'best_baseline' and c.metric = 'accuracy'
order by w.survey, w.scenario, w.pairs, accuracy desc nulls last, w.predictor, w.llm
