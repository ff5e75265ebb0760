B
upstream_yJ0[)¿ñ¤X?Ê7h?‚5®?íÔe¿aaj?Ê)‰¿Ì€o¿³D¿;{«¿HF¿¬Œ¿