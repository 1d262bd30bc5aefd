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

placed as (
    select *,
        if(battery = '', position, min(position) over (partition by survey, battery)) as place
    from {{ ref('questions') }}
),

ranked as (
    select *, row_number() over (partition by survey order by place, position) as number
    from placed
),

-- What is the same for all who answered: put beside each answer only as the rows are written, since lists
-- are gathered in memory.
asked as (
    select
        survey,
        list(
            struct_pack(question_id := question_id, battery := battery, item := item, options := options)
            order by number
        ) as questions
    from ranked
    group by survey
),

answers as (
    select k.survey, k.respondent_id, list(struct_pack(number := q.number, answer := k.answer)) as given
    from {{ ref('known_responses') }} as k
    join ranked as q using (survey, question_id)
    where k.status = 'answered'
    group by k.survey, k.respondent_id
)

select
    survey,
    respondent_id,
    role,
    coalesce(len(given), 0) as n_answers,
    coalesce(
        list_transform(
            list_sort(given), lambda one: struct_insert(questions[one.number], answer := one.answer)
        ),
        []
    ) as history,
    has_tuning
from roles
left join answers using (survey, respondent_id)
left join asked using (survey)
