{{ config(materialized='table') }}
{%- set sample = var('llm_sample', 'compact') %}
{%- set wrong = "error('llm_sample is compact or spread, not " ~ (sample | string | replace("'", "''")) ~ "')" %}
{%- set first = {'compact': 'coalesce(n_pairs, 0) desc', 'spread': "role = 'reference' and has_tuning desc"} %}
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
                {{ first.get(sample, first.compact) }},
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'llm', survey, respondent_id)),
                respondent_id
        ) as place
    from {{ ref('histories') }}
    left join counted using (survey, respondent_id)
    where n_answers > 0{{ '' if sample in first else ' and ' ~ wrong }}
)

select survey, respondent_id, role, place
from drawn
where place <= case role
    when 'test' then {{ var('llm_test_respondents', 20) }}
    else {{ var('llm_reference_respondents', 24) }}
end
