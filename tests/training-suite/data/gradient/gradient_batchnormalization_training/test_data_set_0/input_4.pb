BvarianceJ&–,?
,Ò>
IÌ?