B
upstream_yJ2£¿¦É…?•Û?