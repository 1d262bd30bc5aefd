{{ config(materialized='table', tags=['holdout']) }}
{#- A number of the respondents or questions `of` a survey, drawn by hash, or those of a list. Answers are
    read again wherever they are needed: kept in memory, those of a million respondents would be 8 GB. -#}
{% macro drawn(of, id, number, other=none) %}
    {%- set none_ = number is number and number <= 0 or number is iterable and number | length == 0 %}
    select survey, {{ id }}
    from (select distinct survey, {{ id }} from {{ of }}{{ ' where false' if none_ }})
    {% if other %}anti join {{ other }} using (survey, {{ id }}){% endif %}
    {% if number is string or number is mapping or number is not iterable %}
    qualify row_number() over (
        partition by survey
        order by md5(concat_ws('|', '{{ var("seed", 1) }}', 'new', survey, {{ id }})), {{ id }}
    ) <= {{ number | int }}
    {% else %}
    where {{ id }} in (null{% for one in number %}, '{{ one | string | replace("'", "''") }}'{% endfor %})
    {% endif %}
{% endmacro -%}
{#- The draw of a survey's last pair among the first `number`, by a heap of so many: sorting all pairs takes
    more memory than there may be. A heap has fewer than a million: of more, all
    are looked at. -#}
{% macro last_of(of, number) %}
    {% if number < 1000000 %}
    select survey, list_last(min(draw, greatest({{ number }}, 1))) as last_draw from {{ of }} group by survey
    {% else %}
    select survey, max(draw) as last_draw from {{ of }} group by survey
    {% endif %}
{% endmacro -%}
-- The pairs of respondent and question that are drawn to be held out, with their answers; holdout has
-- what hangs on these besides.
--   test    what predictors are scored on. A respondent with a test pair is a test respondent.
--   tuning  pairs of all other respondents (reference respondents), to tune and to fit combinations on.
--   hidden  what a scenario hides besides; nobody is scored on it, and nobody may see it.
-- And the scenario of a pair:
--   known           other answers of the person and other answers to the question may be known.
--   new_respondent  no answer of the person is known.
--   new_question    no answer to the question is known, whoever gave it.
-- Pairs are drawn by the hash of seed, survey, respondent and question. What was answered has no part
-- in it, only that something was, nor has the order of rows; and a respondent added later takes the
-- place of a pair or two of others and moves nothing else. No more than a fifth of the answered pairs
-- is drawn for either role, and test pairs are of no more than half of the respondents, so that small
-- surveys keep somebody to learn from: 1,000 pairs of 300 people, drawn of all, left 7 of them.

with all_answered as not materialized (
    select
        survey, respondent_id, question_id, answer,
        md5(concat_ws('|', '{{ var("seed", 1) }}', survey, respondent_id, question_id)) as draw
    from {{ ref('responses') }}
    where status = 'answered'
),

new_respondents as (
    {{ drawn('all_answered', 'respondent_id', var('new_respondents', 0)) }}
),

new_respondents_tuning as (
    {{ drawn('all_answered', 'respondent_id', var('new_respondents_tuning', 0), 'new_respondents') }}
),

new_questions as (
    {{ drawn('all_answered', 'question_id', var('new_questions', 0)) }}
),

new_questions_tuning as (
    {{ drawn('all_answered', 'question_id', var('new_questions_tuning', 0), 'new_questions') }}
),

marked as not materialized (
    select
        a.*,
        case when r.respondent_id is not null then 'test'
            when rt.respondent_id is not null then 'tuning' end as respondent_role,
        case when q.question_id is not null then 'test'
            when qt.question_id is not null then 'tuning' end as question_role
    from all_answered as a
    left join new_respondents as r using (survey, respondent_id)
    left join new_respondents_tuning as rt using (survey, respondent_id)
    left join new_questions as q using (survey, question_id)
    left join new_questions_tuning as qt using (survey, question_id)
),

sizes as (
    select survey, count(*) as n
    from marked
    where respondent_role is null and question_role is null
    group by survey
),

answered as not materialized (
    select *
    from marked
    join sizes using (survey)
    where respondent_role is null and question_role is null
),

{% if var('protocol', 'drawn') == 'persona_db' %}
-- The published test pairs and no others. Where the published answer is a refusal there is nothing to
-- predict here; published_metrics counts those.
published as (
    {% for name in var('published_pairs', ['published_pairs']) %}
    {{ 'union' if not loop.first }}
    select distinct
        survey, cast(author_id as varchar) as respondent_id, cast(conversation_id as varchar) as question_id
    from {{ ref(name) }}
    {% endfor %}
),

test as (
    select survey, respondent_id, question_id, answer
    from answered
    semi join published using (survey, respondent_id, question_id)
),
{% else %}
-- The first respondents in the order of their first pair: those whom a draw of few pairs takes anyway.
testable as (
    select survey, respondent_id
    from (select survey, respondent_id, min(draw) as first_draw from answered group by all)
    qualify row_number() over (partition by survey order by first_draw, respondent_id)
        <= greatest(count(*) over (partition by survey) // 2, 1)
),

tested as not materialized (
    select * from answered semi join testable using (survey, respondent_id)
),

test_draws as ({{ last_of('tested', var('test_pairs', 1000)) }}),

test as (
    select survey, respondent_id, question_id, answer
    from tested
    join test_draws using (survey)
    where draw <= last_draw
    qualify row_number() over (partition by survey order by draw, respondent_id, question_id)
        <= least({{ var('test_pairs', 1000) }}, n // 5)
),
{% endif %}

untested as not materialized (
    select * from answered anti join test using (survey, respondent_id)
),

tuning_draws as (
    select *
    from ({{ last_of('untested', var('tuning_pairs', 1000)) }})
    join (select survey, count(*) as n_reference from untested group by survey) using (survey)
),

tuning as (
    select survey, respondent_id, question_id, answer
    from untested
    join tuning_draws using (survey)
    where draw <= last_draw
    qualify row_number() over (partition by survey order by draw, respondent_id, question_id)
        <= least({{ var('tuning_pairs', 1000) }}, n_reference // 5)
),

-- Answers to new questions are tested on test respondents before others, so that there are no more
-- of those than need be; and no respondent has pairs of both roles.
question_test as (
    select m.survey, m.respondent_id, m.question_id, m.answer
    from marked as m
    left join (select distinct survey, respondent_id, true as yes from test) as t
        using (survey, respondent_id)
    anti join tuning as u using (survey, respondent_id)
    where m.question_role = 'test' and m.respondent_role is null
    qualify row_number() over (
        partition by m.survey
        order by coalesce(t.yes, false) desc, m.draw, m.respondent_id, m.question_id
    ) <= {{ var('new_question_pairs', 500) }}
),

question_tuning as (
    select m.survey, m.respondent_id, m.question_id, m.answer
    from marked as m
    anti join test using (survey, respondent_id)
    anti join question_test using (survey, respondent_id)
    where m.question_role = 'tuning' and m.respondent_role is null
    qualify row_number() over (
        partition by m.survey order by m.draw, m.respondent_id, m.question_id
    ) <= {{ var('new_question_pairs', 500) }}
),

respondent_pairs as (
    select survey, respondent_id, question_id, answer, respondent_role as role
    from marked
    where respondent_role is not null and question_role is null
    qualify row_number() over (
        partition by survey, respondent_role order by draw, respondent_id, question_id
    ) <= {{ var('new_respondent_pairs', 500) }}
),

roles as (
    select *, 'test' as role, 'known' as scenario from test
    union all
    select *, 'tuning', 'known' from tuning
    union all
    select *, 'test', 'new_question' from question_test
    union all
    select *, 'tuning', 'new_question' from question_tuning
    union all
    select *, 'new_respondent' from respondent_pairs
)

select survey, respondent_id, question_id, role, answer, scenario from roles
union all
select
    survey, respondent_id, question_id, 'hidden', answer,
    if(respondent_role is not null, 'new_respondent', 'new_question')
from marked
anti join roles using (survey, respondent_id, question_id)
where respondent_role is not null or question_role is not null
