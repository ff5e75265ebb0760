B
upstream_yJ8‚»?…½¿§Z¿ßÑ?¿Ÿi¿>s$?