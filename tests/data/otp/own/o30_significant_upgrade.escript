#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o30_significant_upgrade).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O30  V16, V19: a code change of auto_shutdown and of who is significant holds from
%% then on, for children that run already and for those that ended before it.
run() ->
    process_flag(trap_exit, true),
    [upgrade(How, {From, A}, {To, B}) ||
        {How, {From, A}, {To, B}} <-
            [{never_any, {never, []}, {any_significant, [a, b]}},
             {any_never, {any_significant, [a, b]}, {never, []}},
             {never_all, {never, []}, {all_significant, [a, b]}},
             {all_never, {all_significant, [a, b]}, {never, []}},
             {any_all, {any_significant, [a, b]}, {all_significant, [a, b]}},
             {all_any, {all_significant, [a, b]}, {any_significant, [a, b]}},
             {child, {any_significant, [a]}, {any_significant, [b]}}]],
    late(), refused().
upgrade(How, From, To) ->
    S = begin_(From), ev(obs, How, change(S, To)),
    ev(obs, How, {a, stop(a), state(S)}),
    case is_process_alive(S) of
        true -> ev(obs, How, {b, stop(b), state(S)});
        false -> ok
    end,
    end_(S).
%% One that has ended is no longer there to be waited for.
late() ->
    S = begin_({never, []}), stop(a), ev(obs, late, state(S)),
    ev(obs, late, change(S, {all_significant, [a, b]})), ev(obs, late, state(S)),
    ev(obs, late, {b, stop(b), state(S)}), end_(S).
%% What init gets wrong changes nothing.
refused() ->
    S = begin_({any_significant, [a]}), ev(obs, refused, change(S, {never, [a]})),
    ev(obs, refused, {b, stop(b), state(S)}), ev(obs, refused, {a, stop(a), state(S)}), end_(S).
begin_(Plan) ->
    put_plan(Plan), {ok, S} = supervisor:start_link(?MODULE, sup), name(S, sup), S.
end_(S) -> exit(S, shutdown), receive {'EXIT', S, _} -> ok after 100 -> ok end.
put_plan(Plan) -> ets:insert(plan, {sup, Plan}).
change(S, Plan) ->
    put_plan(Plan), sys:suspend(S), R = sys:change_code(S, ?MODULE, 1, x), sys:resume(S), R.
stop(Id) ->
    P = whereis(Id), M = monitor(process, P), gen_server:cast(P, stop),
    receive {'DOWN', M, _, _, R} -> R end.
state(S) ->
    receive {'EXIT', S, R} -> self() ! {'EXIT', S, R}, {gone, R}
    after 100 -> [{I, P} || {I, P, _, _} <- supervisor:which_children(S)] end.
init(sup) ->
    [{_, {Auto, Significant}}] = ets:lookup(plan, sup),
    {ok, {#{auto_shutdown => Auto}, [w(X, lists:member(X, Significant)) || X <- [a, b]]}};
init({w, Id}) -> process_flag(trap_exit, true), {L, _} = next(Id), ev(L, init, ok), {ok, L}.
w(Id, Significant) ->
    #{id => Id, restart => transient, significant => Significant, start => {?MODULE, start_w, [Id]}}.
start_w(Id) -> gen_server:start_link({local, Id}, ?MODULE, {w, Id}, []).
handle_call(_, _, S) -> {reply, ok, S}.
handle_cast(stop, S) -> {stop, normal, S}.
handle_info(_, S) -> {noreply, S}.
terminate(R, L) -> ev(L, terminate, R).


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
