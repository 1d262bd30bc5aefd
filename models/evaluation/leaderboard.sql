{{ config(materialized='table', tags=['holdout']) }}
-- What a run ends with: each predictor on each set of pairs, best log loss first, and how much better
-- or worse its accuracy is than that of the best predictor without an LLM. Of a prediction setting it
-- says whose personas and neighbours the LLM was shown.

with wide as (
    select
        survey, scenario, pairs, predictor, llm,
        max(value) filter (metric = 'accuracy') as accuracy,
        max(low) filter (metric = 'accuracy') as accuracy_low,
        max(high) filter (metric = 'accuracy') as accuracy_high,
        max(value) filter (metric = 'nll') as nll,
        max(value) filter (metric = 'calibration_error') as calibration_error,
        max(value) filter (metric = 'share_invalid') as invalid,
        max(value) filter (metric = 'absolute_error') as absolute_error,
        max(value) filter (metric = 'expected_rank_error') as expected_rank_error,
        coalesce(max(n) filter (metric = 'accuracy'), max(n) filter (metric = 'absolute_error')) as n
    from {{ ref('metrics') }}
    where weighting = 'none'
    group by survey, scenario, pairs, predictor, llm
),

-- Comparisons have the better of two first; here the difference is of the predictor in question.
sided as (
    select survey, scenario, pairs, predictor, llm, against, against_llm,
        difference, low, high
    from {{ ref('comparisons') }}
    where metric = 'accuracy'
    union all
    select survey, scenario, pairs, against, against_llm, predictor, llm,
        -difference, -high, -low
    from {{ ref('comparisons') }}
    where metric = 'accuracy'
),

best as (
    select survey, scenario, pairs, predictor as best
    from wide
    where llm is null and predictor not in ('stack_plain', 'stack', 'routed')
    qualify row_number() over (
        partition by survey, scenario, pairs order by accuracy desc, predictor
    ) = 1
),

-- What a setting does not show is blank.
shown as (
    select distinct
        x.survey, x.setting,
        if(s.persona <> 'none', x.network, null) as network,
        if(s.neighbours <> 'none', x.retrieval, null) as retrieval
    from {{ ref('setting_variants') }} as x
    join {{ ref('prediction_settings') }} as s using (setting)
)

select
    w.survey, w.scenario, w.pairs, w.predictor, w.llm,
    w.accuracy, w.accuracy_low as low, w.accuracy_high as high, w.nll, w.calibration_error as calibration,
    w.expected_rank_error, w.absolute_error, w.invalid, w.n,
    s.difference as vs_best, s.low as vs_low, s.high as vs_high,
    x.network, x.retrieval
from wide as w
left join best as b using (survey, scenario, pairs)
left join sided as s
    on s.survey = w.survey and s.scenario = w.scenario and s.pairs = w.pairs
    and s.predictor = w.predictor and s.llm is not distinct from w.llm
    and s.against = b.best and s.against_llm is null
left join shown as x on w.llm is not null and x.survey = w.survey and x.setting = w.predictor
-- Where no LLM was asked, its pairs are some of all pairs and say nothing of their own.
where w.pairs <> 'llm' or (w.survey, w.scenario) in (
    select (survey, scenario) from wide
    where pairs = 'llm' and llm in (select llm from {{ ref('prediction_settings') }})
)
order by
    w.survey, w.scenario, w.pairs, w.nll nulls last, w.accuracy desc nulls last, w.absolute_error,
    w.predictor, w.llm
