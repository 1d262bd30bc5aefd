{{ config(materialized='table') }}
-- The respondents whose personas the LLM infers: a sample by seed, since each costs a call.
-- Test respondents are those it will predict answers of; reference respondents are who it may find
-- similar to them. Sizes as large as the survey take everyone. Reference respondents with a tuning
-- pair come first: what the LLM predicts of those is what the stack is fitted on. New respondents
-- have no answers to infer a persona from.

with drawn as (
    select
        survey, respondent_id, role,
        row_number() over (
            partition by survey, role
            order by
                role = 'reference' and has_tuning desc,
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'llm', survey, respondent_id)),
                respondent_id
        ) as place
    from {{ ref('histories') }}
    where n_answers > 0
)

select survey, respondent_id, role
from drawn
where place <= case role
    when 'test' then {{ var('llm_test_respondents', 40) }}
    else {{ var('llm_reference_respondents', 40) }}
end
