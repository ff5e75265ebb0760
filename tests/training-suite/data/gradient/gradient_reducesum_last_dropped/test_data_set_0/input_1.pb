B
upstream_yJ{·m¿ZV¿{k/¿†Ç{¿@°?Ê3?