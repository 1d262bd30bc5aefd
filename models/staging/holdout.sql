{{ config(materialized='table', tags=['holdout']) }}
{%- set hides = var('follow_ups', 'hidden') == 'hidden' and var('protocol', 'drawn') != 'persona_db' %}
{%- if hides %}
-- The pairs of respondent and question that are hidden from every model, with their answers: those that
-- were drawn, and what hangs on a question of theirs that is scored, answered or blank. Whoever was asked
-- it passed its filter, so that it gives the held-out answer away; its role is hidden. So is that of a pair
-- that was drawn: who is asked to predict it is told that it was asked.

with hanging as (
    select
        d.survey, d.respondent_id, f.follow_up as question_id, min(d.scenario) as scenario,
        -- Of two that hang on each other neither comes after the other.
        bool_or(back.question_id is null) as comes_after
    from {{ ref('drawn_pairs') }} as d
    join {{ ref('follow_ups') }} as f using (survey, question_id)
    left join {{ ref('follow_ups') }} as back
        on back.survey = f.survey and back.question_id = f.follow_up and back.follow_up = f.question_id
    where d.role in ('test', 'tuning')
    group by all
)

select
    d.survey, d.respondent_id, d.question_id,
    if(coalesce(h.comes_after, false), 'hidden', d.role) as role, d.answer, d.scenario
from {{ ref('drawn_pairs') }} as d
left join hanging as h using (survey, respondent_id, question_id)
union all
select h.survey, h.respondent_id, h.question_id, 'hidden', r.answer, h.scenario
from {{ ref('responses') }} as r
join hanging as h using (survey, respondent_id, question_id)
anti join {{ ref('drawn_pairs') }} as d using (survey, respondent_id, question_id)
{%- else %}
-- The pairs of respondent and question that are hidden from every model, with their answers: those that
-- were drawn.

select survey, respondent_id, question_id, role, answer, scenario from {{ ref('drawn_pairs') }}
{%- endif %}
