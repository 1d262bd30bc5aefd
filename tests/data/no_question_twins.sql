{{ config(severity='warn') }}
-- Held-out answers to a question can be read off its twin: leave one of the two out of the survey, or
-- read every metric as too good.
select * from {{ ref('question_twins') }}
