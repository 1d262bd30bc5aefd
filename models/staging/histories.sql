{{ config(materialized='table') }}
-- One row per respondent: what is known of their answers, in the questionnaire's order, the items of a
-- battery one after the other.

with roles as (
    select
        survey, respondent_id,
        case
            when coalesce(bool_or(scenario = 'new_respondent'), false) then 'new'
            when bool_or(role = 'test') then 'test'
            else 'reference'
        end as role,
        bool_or(role = 'tuning') as has_tuning
    from {{ ref('known_responses') }}
    group by survey, respondent_id
),

asked as (
    select *,
        if(battery = '', position, min(position) over (partition by survey, battery)) as place
    from {{ ref('questions') }}
),

answers as (
    select
        k.survey,
        k.respondent_id,
        list(
            struct_pack(
                question_id := k.question_id, battery := q.battery, item := q.item,
                options := q.options, answer := k.answer
            )
            order by q.place, q.position
        ) as history
    from {{ ref('known_responses') }} as k
    join asked as q using (survey, question_id)
    where k.status = 'answered'
    group by k.survey, k.respondent_id
)

select
    survey,
    respondent_id,
    role,
    coalesce(len(history), 0) as n_answers,
    coalesce(history, []) as history,
    has_tuning
from roles
left join answers using (survey, respondent_id)
