{{ config(materialized='table') }}
-- The pairs the LLM predicts, of each survey and scenario at most `llm_pairs` to test and
-- `llm_tuning_pairs` to fit combinations on: pairs of the respondents whose personas it infers, and of
-- new respondents, who have none. With `llm_sample: compact` all pairs of a person stand together, so
-- that they are those of few people.

with drawn as (
    select
        k.survey, k.respondent_id, k.question_id, k.role, k.scenario,
        row_number() over (
            partition by k.survey, k.role, k.scenario
            order by
                {{ 'r.place nulls last,' if var('llm_sample', 'compact') == 'compact' }}
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'llm', k.survey, k.respondent_id, k.question_id)),
                k.respondent_id, k.question_id
        ) as place
    from {{ ref('known_responses') }} as k
    left join {{ ref('llm_respondents') }} as r using (survey, respondent_id)
    where k.role in ('test', 'tuning')
        and (r.respondent_id is not null or k.scenario = 'new_respondent')
)

select survey, respondent_id, question_id, role, scenario
from drawn
where place <= case role
    when 'test' then {{ var('llm_pairs', 50) }}
    else {{ var('llm_tuning_pairs', 40) }}
end
