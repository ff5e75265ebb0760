B
upstream_yJт,Ж?\OПлЂ5П