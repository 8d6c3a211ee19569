{#- The probability that a standard normal value lies at least this far from 0, either
    side. Abramowitz and Stegun 26.2.17; its error stays below 2e-7. No engine has the
    normal distribution built in. -#}
{% macro two_sided_p(z_score) -%}
    {%- set step = "(1 / (1 + 0.2316419 * abs(" ~ z_score ~ ")))" -%}
    (
        2 * exp(-{{ z_score }} * {{ z_score }} / 2) / 2.5066282746310002
        * {{ step }}
        * (
            0.319381530 + {{ step }} * (
                -0.356563782 + {{ step }} * (
                    1.781477937 + {{ step }} * (
                        -1.821255978 + {{ step }} * 1.330274429
                    )
                )
            )
        )
    )
{%- endmacro %}
