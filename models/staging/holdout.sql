{{ config(materialized='table', tags=['holdout']) }}
-- The pairs of respondent and question that are hidden from every model, with their answers.
--   test    what predictors are scored on. A respondent with a test pair is a test respondent.
--   tuning  pairs of all other respondents (reference respondents), to tune and to fit combinations on.
-- Pairs are drawn by the hash of seed, survey, respondent and question. What was answered has no part
-- in it, only that something was, nor has the order of rows; and a respondent added later takes the
-- place of a pair or two of others and moves nothing else. No more than a fifth of the answered pairs
-- is drawn for either role, so that small surveys keep something to learn from.

with answered as (
    select
        survey, respondent_id, question_id, answer,
        md5(concat_ws('|', '{{ var("seed", 1) }}', survey, respondent_id, question_id)) as draw,
        count(*) over (partition by survey) as n
    from {{ ref('responses') }}
    where status = 'answered'
),

test as (
    select survey, respondent_id, question_id, answer
    from answered
    qualify row_number() over (partition by survey order by draw, respondent_id, question_id)
        <= least({{ var('test_pairs', 1000) }}, n // 5)
),

reference as (
    select *, count(*) over (partition by survey) as n_reference
    from answered
    anti join test using (survey, respondent_id)
),

tuning as (
    select survey, respondent_id, question_id, answer
    from reference
    qualify row_number() over (partition by survey order by draw, respondent_id, question_id)
        <= least({{ var('tuning_pairs', 1000) }}, n_reference // 5)
)

select survey, respondent_id, question_id, 'test' as role, answer from test
union all
select survey, respondent_id, question_id, 'tuning' as role, answer from tuning
