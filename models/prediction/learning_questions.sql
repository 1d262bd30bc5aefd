{{ config(materialized='table') }}
-- Questions with options, what hangs on each, and nothing of their wording, which no predictor reads.

select
    q.survey, q.question_id, q.options,
    coalesce(list(f.follow_up order by f.follow_up) filter (f.follow_up is not null), []) as follow_ups
from {{ ref('closed_questions') }} as q
left join {{ ref('follow_ups') }} as f using (survey, question_id)
group by all
