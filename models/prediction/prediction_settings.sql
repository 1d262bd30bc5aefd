{{ config(materialized='table') }}
{#- A var that is one text or a list of them, as a list of SQL texts. -#}
{%- macro texts(value) -%}
    {%- for one in ([value] if value is string else value) -%}
    '{{ one | string | replace("'", "''") }}'{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro -%}
-- The settings that are asked: the rows of seeds/settings.csv that the var `prediction_settings` names,
-- a row for each LLM of theirs. It needs no LLM, so that a setting which is not there, or says what no
-- setting can say, is an error before anything is paid for.

with wanted as (
    select unnest([{{ texts(var('prediction_settings', ['history', 'everything'])) }}]::varchar[]) as setting
),

known as (
    select
        cast(setting as varchar) as setting,
        coalesce(history, false) as history,
        coalesce(demographics, false) as demographics,
        coalesce(lower(trim(cast(persona as varchar))), 'none') as persona,
        coalesce(lower(trim(cast(representation as varchar))), 'name') as representation,
        coalesce(lower(trim(cast(levels as varchar))), 'low mid high') as levels,
        coalesce(lower(trim(cast(neighbours as varchar))), 'none') as neighbours,
        coalesce(thought, false) as thought,
        coalesce(lower(trim(cast(option_order as varchar))), 'given') as option_order,
        coalesce(cast(repeats as bigint), 1) as repeats,
        trim(coalesce(cast(llms as varchar), '')) as llms
    from {{ ref('settings') }}
),

chosen as (
    select w.setting as wanted, k.*
    from (select distinct setting from wanted) as w
    left join known as k on k.setting = w.setting
),

-- What is wrong with a row, null if nothing is.
faults as (
    select
        *,
        string_split_regex(levels, '[\s,]+') as level_list,
        case
            when setting is null then concat(
                'prediction_settings names ''', wanted, ''', which is no row of seeds/settings.csv; did you mean ''',
                (select arg_min(k.setting, (levenshtein(k.setting, wanted), k.setting)) from known as k), '''?'
            )
            when (select count(*) from known as k where k.setting = wanted) > 1
                then concat('seeds/settings.csv: ''', wanted, ''' stands there twice')
            when persona not in ('none', 'raw', 'refined')
                then concat('seeds/settings.csv, ', wanted, ': persona is none, raw or refined, not ''', persona, '''')
            when representation not in (
                'description', 'name', 'value',
                'description+candidates', 'name+candidates', 'value+candidates'
            )
                then concat(
                    'seeds/settings.csv, ', wanted, ': representation is description, name or value, ',
                    'each also with +candidates, not ''', representation, ''''
                )
            when not list_has_all(['low', 'mid', 'high'], string_split_regex(levels, '[\s,]+'))
                then concat('seeds/settings.csv, ', wanted, ': levels are low, mid and high, not ''', levels, '''')
            when neighbours not in ('none', 'answers', 'common', 'distribution')
                then concat(
                    'seeds/settings.csv, ', wanted,
                    ': neighbours is none, answers, common or distribution, not ''', neighbours, ''''
                )
            when option_order not in ('given', 'shuffled')
                then concat('seeds/settings.csv, ', wanted, ': option_order is given or shuffled, not ''', option_order, '''')
            when repeats < 1
                then concat('seeds/settings.csv, ', wanted, ': repeats is 1 or more, not ', repeats)
        end as fault
    from chosen
)

select
    setting, history, demographics, persona, representation, level_list as levels, neighbours,
    thought, option_order, repeats,
    unnest(list_distinct(
        if(llms = '', [{{ texts(var('predictor', 'default')) }}], string_split_regex(llms, '[\s,]+'))
    )) as llm
from faults
where if(fault is null, true, error(fault))
