B
upstream_yJÏlœ¿ZÔ‚?L|h?‹f–?ZüS¿/ÀC¿