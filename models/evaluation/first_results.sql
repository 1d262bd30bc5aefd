{{ config(materialized='table', tags=['holdout']) }}
-- What a run shows while the LLM is still at work: how well the predictors that need none do, the most
-- accurate first. The leaderboard has the same figures at the end, beside the LLM's.

select
    survey, scenario, predictor,
    max(value) filter (metric = 'accuracy') as accuracy,
    max(low) filter (metric = 'accuracy') as low,
    max(high) filter (metric = 'accuracy') as high,
    max(value) filter (metric = 'nll') as nll,
    max(n) filter (metric = 'accuracy') as n
from {{ ref('baseline_metrics') }}
where weighting = 'none'
group by survey, scenario, predictor
having accuracy is not null
order by survey, scenario, accuracy desc, predictor
