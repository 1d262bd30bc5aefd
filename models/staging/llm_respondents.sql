{{ config(materialized='table') }}
{%- set compact = var('llm_sample', 'compact') == 'compact' %}
-- The respondents whose personas the LLM infers: a sample by seed, since each costs a call.
-- Test respondents are those it will predict answers of; reference respondents are who it may find
-- similar to them. Sizes as large as the survey take everyone. With `llm_sample: compact` those with
-- the most held-out pairs come first: a persona is inferred once for several predictions, and calls
-- about one person begin with the same text, which prompt caches do not charge again. Pairs are drawn
-- without looking at answers, so who has many of them is chance. With `spread` people are drawn evenly;
-- reference respondents with a tuning pair still come first, since what the LLM predicts of those is
-- what the stack is fitted on. New respondents have no answers to infer a persona from.

with counted as (
    select survey, respondent_id, count(*) as n_pairs
    from {{ ref('known_responses') }}
    where role in ('test', 'tuning')
    group by survey, respondent_id
),

drawn as (
    select
        survey, respondent_id, role,
        row_number() over (
            partition by survey, role
            order by
                {{ 'coalesce(n_pairs, 0) desc' if compact else "role = 'reference' and has_tuning desc" }},
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'llm', survey, respondent_id)),
                respondent_id
        ) as place
    from {{ ref('histories') }}
    left join counted using (survey, respondent_id)
    where n_answers > 0
)

select survey, respondent_id, role, place
from drawn
where place <= case role
    when 'test' then {{ var('llm_test_respondents', 20) }}
    else {{ var('llm_reference_respondents', 24) }}
end
