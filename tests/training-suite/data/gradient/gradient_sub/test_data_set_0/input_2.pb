B
upstream_yJ¤¬?#?x¹¿p:–?r€”¿%>¿