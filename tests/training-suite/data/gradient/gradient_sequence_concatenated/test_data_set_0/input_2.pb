B
upstream_yJ gˆ­¿4£¹¿‹§¿Xt??@„g¿™Ò"?PÄ‹¿x¢s?