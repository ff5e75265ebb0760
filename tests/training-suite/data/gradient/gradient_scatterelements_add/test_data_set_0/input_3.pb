B
upstream_yJ$÷y?þù™¿6²r?V_?‘@A?zê›¿Èh_¿þL¿qø¢¿