{{ config(materialized='table') }}
-- The test pairs the LLM predicts: those of its test respondents, at most `llm_pairs` a survey.

with drawn as (
    select
        k.survey, k.respondent_id, k.question_id,
        row_number() over (
            partition by k.survey
            order by
                md5(concat_ws('|', '{{ var("seed", 1) }}', 'llm', k.survey, k.respondent_id, k.question_id)),
                k.respondent_id, k.question_id
        ) as place
    from {{ ref('known_responses') }} as k
    join {{ ref('llm_respondents') }} as r using (survey, respondent_id)
    where k.role = 'test'
)

select survey, respondent_id, question_id
from drawn
where place <= {{ var('llm_pairs', 50) }}
