{{ config(materialized='table') }}
{%- set pair = 'survey, respondent_id, question_id, setting, llm' %}
-- One row per prediction asked of the LLM. Those without a valid answer are there, too: they count
-- against the setting. Where a setting repeats, the draws are averaged: the mean of their
-- probabilities, a draw without any counting as all on its answer; of numbers the median. Probabilities
-- are log-probabilities of the answer or those the LLM stated, as the setting's `distribution` says.
-- And one row per prediction made elsewhere, which nothing here was asked for.

with answers as (
    select {{ pair }}, draw, answer, probabilities, missing_mass, null::double as stated_off,
        null::double as value, call_id
    from {{ ref('prediction_answers') }}
    union all
    select {{ pair }}, draw, answer, null, null, null, null, call_id
    from {{ ref('prediction_thoughts') }}
    union all
    select {{ pair }}, draw, null, probabilities, null, probabilities_off, null, call_id
    from {{ ref('prediction_distributions') }}
    union all
    select {{ pair }}, draw, null, probabilities, null, probabilities_off, null, call_id
    from {{ ref('prediction_thought_distributions') }}
    union all
    -- A number outside of the question's range is not an answer to it.
    select {{ pair }}, draw, '', null, null, null, n.number, n.call_id
    from {{ ref('prediction_numbers') }} as n
    join {{ ref('questions') }} as q using (survey, question_id)
    where n.number between coalesce(q.low, n.number) and coalesce(q.high, n.number)
    union all
    select {{ pair }}, draw, text, null, null, null, null, call_id
    from {{ ref('prediction_texts') }}
),

draws as (
    select
        {{ pair }}, draw, r.role, r.scenario, r.kind,
        a.answer, a.missing_mass, a.stated_off, a.value, a.call_id,
        case when r.distribution in ('logprobs', 'stated') then a.probabilities end as probabilities
    from {{ ref('prediction_requests') }} as r
    left join answers as a using ({{ pair }}, draw)
),

pairs as (
    select
        {{ pair }},
        any_value(role) as role,
        any_value(scenario) as scenario,
        any_value(kind) as kind,
        count(*) as draws,
        count(call_id) as valid_draws,
        arg_min(answer, draw) as first_answer,
        arg_min(call_id, draw) as call_id,
        avg(missing_mass) as missing_mass,
        avg(stated_off) as stated_off,
        median(value) as value,
        bool_or(probabilities is not null) as has_probabilities
    from draws
    group by {{ pair }}
),

-- The draws of a pair as one distribution over the options in the questionnaire's order.
shares as (
    select {{ pair }}, entry.key as option, sum(entry.value) as share
    from (
        select
            {{ pair }},
            unnest(coalesce(
                map_entries(cast(probabilities as map(varchar, double))), [struct_pack(key := answer, value := 1.0::double)]
            )) as entry
        from draws
        where call_id is not null and kind not in ('numeric', 'text')
    )
    group by {{ pair }}, option
),

distributions as (
    select
        {{ pair }},
        list(option order by place) as options,
        list(coalesce(share, 0) / valid_draws order by place) as probabilities,
        arg_max(option, (coalesce(share, 0), -place)) as answer
    from (
        select p.*, q.option, q.place
        from pairs as p
        join (
            select survey, question_id,
                unnest(options) as option, unnest(range(len(options))) as place
            from {{ ref('questions') }}
        ) as q using (survey, question_id)
        where p.valid_draws > 0
    )
    left join shares using ({{ pair }}, option)
    group by {{ pair }}
)

select * from (
    select
        p.survey, p.respondent_id, p.question_id,
        p.setting as predictor,
        p.llm,
        case
            when p.valid_draws = 0 then null
            when p.kind = 'numeric' then regexp_replace(cast(p.value as varchar), '\.0$', '')
            when p.kind = 'text' or p.draws = 1 then coalesce(p.first_answer, d.answer)
            else d.answer
        end as answer,
        -- One draw without probabilities is an answer and no distribution.
        case when p.kind not in ('numeric', 'text') and (p.has_probabilities or p.valid_draws > 1)
            then map(d.options, d.probabilities) end
            as probabilities,
        p.missing_mass,
        p.stated_off,
        if(p.valid_draws > 0, 'valid', 'invalid') as status,
        p.call_id,
        p.role, p.scenario,
        p.value, p.draws, p.valid_draws
    from pairs as p
    left join distributions as d using ({{ pair }})
    -- Without an LLM nothing was asked, so that nothing counts against anyone.
    where exists (select 1 from {{ ref('prediction_answers') }})
        or exists (select 1 from {{ ref('prediction_thoughts') }})
        or exists (select 1 from {{ ref('prediction_distributions') }})
        or exists (select 1 from {{ ref('prediction_thought_distributions') }})
        or exists (select 1 from {{ ref('prediction_numbers') }})
        or exists (select 1 from {{ ref('prediction_texts') }})
)
union all by name
select
    survey, respondent_id, question_id, predictor, llm, answer, probabilities, missing_mass, status, call_id,
    role, scenario, value, 1 as draws, (status = 'valid')::int as valid_draws
from {{ ref('predictions_elsewhere') }}
