B
upstream_yJ(q~a?a™#?w„¿Ï#?sM’?«­Œ¿M‡?ø2_¿‰Ÿ¿j	?